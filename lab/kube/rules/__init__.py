"""What an object has to be like: fields, defaults, what must hold, numbers it is given, its end."""
