"""From a video to its people: decoding, poses, tracks, cuts and the camera's own motion."""
