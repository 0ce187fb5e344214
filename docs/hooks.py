"""What the pages take from `mkdocs.yml`: the repository's address."""


def on_page_markdown(markdown: str, *, config, **kwargs) -> str:
    """Return the page with the repository's name in the place of REPOSITORY."""
    del kwargs  # the page, its navigation and files
    return markdown.replace("REPOSITORY", config.extra["repository"])
