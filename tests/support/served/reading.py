import json

errors = []


def application(environ, start_response):
    content = environ["wsgi.input"]
    results = []
    try:
        for name, *values in json.loads(environ["HTTP_X_CALLS"]):
            if name == "iterate":
                result = list(content)
            else:
                result = getattr(content, name)(*values)
            if isinstance(result, list):
                results.append([line.decode("latin-1") for line in result])
            else:
                results.append(result.decode("latin-1"))
    except BaseException as error:
        errors.append([type(error).__name__, isinstance(error, OSError), str(error)])
        raise
    if environ["PATH_INFO"] == "/errors":
        results = errors
    elif environ["PATH_INFO"] == "/sizes":
        results = [len(result) for result in results]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([results, environ.get("CONTENT_LENGTH"), environ["wsgi.input_terminated"]]).encode()]
