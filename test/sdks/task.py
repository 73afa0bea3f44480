"""What a client program does, told by its arguments: `task model` pairs, one JSON line each. The same as task.js."""

import json
import sys

QUESTION = "What is 2 plus 3? Grüße, 世界 🌍"
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "b": {"type": "number"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}
ran = []


def add(arguments):
    ran.append({"a": arguments["a"], "b": arguments["b"]})
    return str(arguments["a"] + arguments["b"])


def run(tasks):
    args = sys.argv[1:]
    for task, model in zip(args[::2], args[1::2]):
        line = {"task": task, "model": model}
        try:
            line["got"] = tasks[task](model)
        except Exception as error:
            status = getattr(error, "status_code", None)
            line["thrown"] = {"name": type(error).__name__, "status": status, "message": str(error)}
        print(json.dumps(line), flush=True)
