"""What writes the generated parts of the pages from the code, checks them, and takes their pictures."""
