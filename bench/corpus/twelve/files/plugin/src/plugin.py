print("plugged")
