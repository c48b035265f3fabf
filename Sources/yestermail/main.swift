print("yestermail")
