exec python -m plugin
