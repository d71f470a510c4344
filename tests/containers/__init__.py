"""Tests of the image and of the composed service; they need a container engine."""
