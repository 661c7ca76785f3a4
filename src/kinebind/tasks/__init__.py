"""What Kinebind does with recordings: synchronise them; later locate, search and recognise."""
