"""Bodies: skeletons, kinematics, where sensors sit, and what a camera would see."""
