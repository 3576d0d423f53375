"""Tests of images and of the files for containers, clusters and CI."""
