"""Parses a PowerShell script with tree-sitter's grammar and prints what it calls, as one JSON object.

    python powershell-syntax.py < FILE

`errors`: where the text does not follow the grammar. `functions`: names that the script defines. `commands`: each call of a command by
name, with the parameters that are given by name, and `splatted` where a variable holds more. `programs`: what is run with `&`.
"""
import json
import sys

import tree_sitter
import tree_sitter_powershell

language = tree_sitter.Language(tree_sitter_powershell.language())
tree = tree_sitter.Parser(language).parse(sys.stdin.buffer.read())
found = {"errors": [], "functions": [], "commands": [], "programs": []}


def text(node):
    return node.text.decode()


def line(node):
    return node.start_point.row + 1


def visit(node):
    if node.is_error or node.is_missing:
        kind = "MISSING " + node.type if node.is_missing else "ERROR"
        found["errors"].append(f"line {line(node)}: {kind} {text(node)[:60]!r}")
    if node.type == "function_statement":
        found["functions"] += [text(child) for child in node.children if child.type == "function_name"]
    if node.type == "command":
        name = node.child_by_field_name("command_name")
        if name is not None and name.type == "command_name":
            elements = node.child_by_field_name("command_elements")
            parts = elements.children if elements is not None else []
            found["commands"].append({
                "line": line(node),
                "name": text(name),
                "parameters": [text(part)[1:].rstrip(":") for part in parts if part.type == "command_parameter"],
                "splatted": any(text(part).startswith("@") and not text(part).startswith("@(") for part in parts),
            })
        else:
            found["programs"].append({"line": line(node), "name": text(name) if name is not None else text(node)})
    for child in node.children:
        visit(child)


visit(tree.root_node)
if tree.root_node.has_error and not found["errors"]:
    found["errors"].append("the grammar does not accept the script")
print(json.dumps(found))
