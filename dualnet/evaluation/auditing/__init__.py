"""What a model reads: picture, record or shortcut."""
