"""A WSGI application with Flask-Limiter, whose counts are in the store that KV names."""

import os

from flask import Flask
from flask_limiter import Limiter

app = Flask(__name__)
strategy = os.environ["STRATEGY"]
# A key of one strategy is of another type than that of the next.
limiter = Limiter(lambda: "everyone", app=app, storage_uri=os.environ["KV"], strategy=strategy, key_prefix=strategy)


@app.get("/")
@limiter.limit("5 per day")
def limited():
    return str(os.getpid())


@app.get("/free")
def free():
    return str(os.getpid())
