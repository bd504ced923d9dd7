"""How a verdict is shown: how the pairs stand, and the chart of their scores by step."""
