"""What a bundle needs to run elsewhere: files of images, charts and pipelines, written for the user's project."""
