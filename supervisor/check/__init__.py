"""What `evsup check` looks at before a start; nothing here changes anything anywhere."""
