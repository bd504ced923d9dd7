"""Captioners that another program serves, by the interface that OpenAI's has and llama.cpp, Ollama and LM Studio speak too."""
