"""Messages between client and worker: application, serializers, compression, result files."""
