"""Windows drawn on the fly from a corpus of motion: bodies, sensors, cameras, all batched and on any device."""
