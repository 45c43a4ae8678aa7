"""The house style and one function a figure; a figure draws what it is given and computes nothing."""
