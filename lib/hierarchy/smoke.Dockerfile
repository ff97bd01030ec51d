# Runs smoke tests in the image that replaces this name, as the image's own user and without a network. Nothing is kept.

# No image has this name: whoever builds puts one in its place.
# hadolint ignore=DL3006
FROM image-under-test
# Paths in the build context, in the order in which they run.
ARG SCRIPTS
RUN --network=none --mount=type=bind,target=/smoke \
    for script in $SCRIPTS; do \
        echo "== $script"; \
        "/smoke/$script" || { echo "smoke test failed: $script" >&2; exit 1; }; \
    done
