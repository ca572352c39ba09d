"""The stage that clients upload files to, and the rows in these files."""
