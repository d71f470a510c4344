"""Only where pytest-celery is installed (`.[docker-test]`) there are tests of the image by it."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("pytest_celery") else ["test_image.py"]
