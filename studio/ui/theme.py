"""The colours and shapes that gradio's own controls take; theme.css holds the rest."""

from gradio.themes import Base

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#1d6b64"/>'
    '<circle cx="13" cy="13" r="5" fill="none" stroke="#fff" stroke-width="2"/><circle cx="19" cy="13" r="5" fill="none" stroke="#fff" stroke-width="2" opacity=".6"/>'
    '<path d="M6 26c1-5 5-7 10-7s9 2 10 7" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>'
)
FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Consolas", "monospace")


def make_theme() -> Base:
    """Gradio's base theme on our variables, so that light and dark are decided in theme.css alone."""
    theme = Base(primary_hue="teal", neutral_hue="zinc", font=FONT, font_mono=MONO, radius_size="sm", text_size="md")
    same = dict(
        body_background_fill="var(--paper)",
        body_text_color="var(--ink)",
        body_text_color_subdued="var(--ink-2)",
        background_fill_primary="var(--panel)",
        background_fill_secondary="var(--paper)",
        border_color_primary="var(--line)",
        block_background_fill="transparent",
        block_border_width="0px",
        block_label_background_fill="transparent",
        block_label_text_color="var(--ink-2)",
        block_title_text_color="var(--ink)",
        block_info_text_color="var(--ink-2)",
        block_shadow="none",
        panel_background_fill="transparent",
        input_background_fill="var(--field)",
        input_border_color="var(--field-line)",
        input_border_color_focus="var(--accent)",
        input_placeholder_color="var(--ink-3)",
        checkbox_background_color="var(--field)",
        checkbox_background_color_selected="var(--accent)",
        checkbox_border_color="var(--field-line)",
        checkbox_border_color_selected="var(--accent)",
        checkbox_label_background_fill="var(--field)",
        checkbox_label_background_fill_selected="var(--accent-soft)",
        checkbox_label_border_color="var(--line)",
        checkbox_label_text_color="var(--ink)",
        checkbox_label_text_color_selected="var(--ink)",
        button_primary_background_fill="var(--accent)",
        button_primary_background_fill_hover="var(--accent-hover)",
        button_primary_text_color="var(--on-accent)",
        button_primary_border_color="var(--accent)",
        button_secondary_background_fill="var(--field)",
        button_secondary_background_fill_hover="var(--accent-soft)",
        button_secondary_text_color="var(--ink)",
        button_secondary_border_color="var(--field-line)",
        color_accent="var(--accent)",
        color_accent_soft="var(--accent-soft)",
        loader_color="var(--accent)",
        input_border_width="1px",
        input_shadow="none",
        input_shadow_focus="none",
        checkbox_label_border_width="1px",
        block_label_text_weight="500",
        block_title_text_weight="500",
        button_large_text_weight="500",
        button_large_text_size="15px",
    )
    dark = {f"{name}_dark": value for name, value in same.items() if hasattr(theme, f"{name}_dark")}
    once = dict(
        block_padding="0px", layout_gap="16px", form_gap_width="0px", block_radius="8px", button_large_radius="6px", input_radius="6px"
    )
    return theme.set(**same, **dark, **{k: v for k, v in once.items() if hasattr(theme, k)})
