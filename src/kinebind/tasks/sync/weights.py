WEIGHTS = {
    "rate": {"turn": 1.0, "load": 0.6, "shake": 0.4, "heave": 1.0, "side": 0.5, "tilt": 1.2, "bearing": 1.0},
    "acc": {"turn": 1.0, "load": 1.0, "shake": 0.4, "heave": 1.0, "side": 0.5, "tilt": 1.0, "bearing": 0.7},
    "pair": {"turn": 1.0, "load": 1.0, "shake": 0.5, "heave": 1.0},
}
