"""stub"""
def integer_network(walk, tokens, record): raise walk.refuse("", "integer")
def dynamic_network(walk, tokens): raise walk.refuse("", "dynamic")
