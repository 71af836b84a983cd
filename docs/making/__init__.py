"""The pages of the reference and the pictures of the strategies, made from the code: `python -m docs.making`."""
