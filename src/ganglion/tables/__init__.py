"""Files and frames to numbers, and answers back in the user's own words."""
