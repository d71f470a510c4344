"""What client and worker share: the application, serializers, compression, result files."""
