"""Write every page and picture that is made from the code. A test compares the committed files with new ones."""

from docs.making.pages import FOLDER, made

for path, text in made().items():
    (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
    (FOLDER / path).write_text(text)
