TOKEN = "none"
