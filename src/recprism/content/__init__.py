"""Items to vectors (from text, along links, or supplied) and labels with confidence."""
