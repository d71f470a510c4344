"""Skip the tests of the image without pytest-celery (`.[docker-test]`)."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("pytest_celery") else ["test_image.py"]
