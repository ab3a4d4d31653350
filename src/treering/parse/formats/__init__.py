"""Line formats, one per module; the regular ones are data in `treering/content/formats`."""
