import os

print(os.environ["SERVICE"])
