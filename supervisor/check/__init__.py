"""What `evsup check` examines before a start. Nothing here changes anything anywhere."""
