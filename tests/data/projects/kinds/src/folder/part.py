word = "folder"
