"""From files and frames to numbers, and from outputs back to the user's own values."""
