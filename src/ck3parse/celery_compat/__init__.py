"""Every use of something private to Celery, kombu, billiard, redis-py or py-amqp.

Private is a name with an underscore, an attribute that no documentation names, a method that
replaces one of theirs, and any reliance on how they work inside. Nothing else in ck3parse has any
of these. Each entry states:

- Assumes: what it relies on.
- Read in: the versions in which that was checked.
- Otherwise: what happens if a new version no longer does it.
- Public way: what the public interface offers, and why that is not enough.

Each assumption has a test in `tests/unit/test_celery_compat.py` or, if it takes a server or a
worker, in `tests/integration/test_celery_compat_live.py`. To upgrade one of the libraries, run
these first.

The modules import nothing else of ck3parse, and only those for a distant broker one another.
"""
