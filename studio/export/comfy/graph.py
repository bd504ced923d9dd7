"""A workflow as nodes and links, and the two JSON forms in which ComfyUI takes one: with places for its page, and bare for its API."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.export.comfy.nodes import NODES, NOTE, NodeType, Socket

Value = str | int | float
UI_VERSION = 0.4  # of the form in which the page saves a workflow
GAP = 50  # between nodes on the page


@dataclass(frozen=True)
class Out:
    """An output of a node, which inputs of others are linked to."""

    node: int
    name: str


@dataclass(frozen=True)
class Node:
    """column: on the page, from the left; values, links: by the names of its boxes and of its inputs."""

    number: int
    type: NodeType
    title: str
    column: int
    values: Mapping[str, Value]
    links: Mapping[str, Out]

    def out(self, name: str = "") -> Out:
        """The output of that name; the first one if none is named."""
        return Out(self.number, name or self.type.outputs[0].name)


@dataclass(frozen=True)
class Link:
    number: int
    source: Out
    target: int
    input: str


@dataclass
class Graph:
    """Nodes numbered from 1, one after the other."""

    nodes: list[Node] = field(default_factory=list)

    def add(self, name: str, column: int, title: str = "", *, links: Mapping[str, Out] | None = None, **values: Value) -> Node:
        """A node of that type, with a value for each of its boxes."""
        kind, links = NODES[name], links or {}
        required = {socket.name for socket in kind.inputs if not socket.is_optional}
        assert values.keys() == set(kind.widgets), (name, values)
        assert required <= links.keys() <= {socket.name for socket in kind.inputs}, (name, links)
        self.nodes.append(Node(len(self.nodes) + 1, kind, title or name, column, values, links))
        return self.nodes[-1]

    @property
    def links(self) -> tuple[Link, ...]:
        ends = [(out, node.number, name) for node in self.nodes for name, out in node.links.items()]
        return tuple(Link(number, *end) for number, end in enumerate(ends, 1))

    def output_number(self, out: Out) -> int:
        return [socket.name for socket in self.nodes[out.node - 1].type.outputs].index(out.name)


# -- for the API


def to_api(graph: Graph) -> dict[str, Any]:
    """{number: node}, as ComfyUI's API takes it."""
    return {str(node.number): _api_node(graph, node) for node in graph.nodes if node.type.name != NOTE}


def _api_node(graph: Graph, node: Node) -> dict[str, Any]:
    values = {name: value for name, value in node.values.items() if name not in node.type.of_the_page}
    links = {name: [str(out.node), graph.output_number(out)] for name, out in node.links.items()}
    return {"inputs": values | links, "class_type": node.type.name, "_meta": {"title": node.title}}


# -- for the page


def to_ui(graph: Graph) -> dict[str, Any]:
    """As ComfyUI's page saves and opens it: every node has a place there."""
    places = _lay_out(graph)
    nodes = [_ui_node(graph, node, places[node.number]) for node in graph.nodes]
    links = [_ui_link(graph, link) for link in graph.links]
    body = {"nodes": nodes, "links": links, "groups": [], "config": {}, "extra": {}, "version": UI_VERSION}
    name = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(body, sort_keys=True))  # the same workflow has the same one
    return {"id": str(name), "revision": 0, "last_node_id": len(nodes), "last_link_id": len(links)} | body


def _lay_out(graph: Graph) -> dict[int, tuple[int, int]]:
    """{number of a node: (x, y)}: columns beside each other, the nodes of one below each other."""
    widths: dict[int, int] = {}
    for node in graph.nodes:
        widths[node.column] = max(widths.get(node.column, 0), node.type.size[0])
    places, heights = {}, dict.fromkeys(widths, 0)
    for node in graph.nodes:
        x = sum(width + GAP for column, width in widths.items() if column < node.column)
        places[node.number] = (x, heights[node.column])
        heights[node.column] += node.type.size[1] + GAP
    return places


def _ui_node(graph: Graph, node: Node, place: tuple[int, int]) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": node.number, "type": node.type.name, "pos": list(place), "size": list(node.type.size), "flags": {}}
    shown |= {"order": node.number - 1, "mode": 0, "title": node.title}
    shown["inputs"] = [_ui_input(graph, node, socket) for socket in node.type.inputs]
    shown["outputs"] = [_ui_output(graph, node, socket) for socket in node.type.outputs]
    named = {} if node.type.name == NOTE else {"cnr_id": "comfy-core", "Node name for S&R": node.type.name}
    return shown | {"properties": named, "widgets_values": [node.values[name] for name in node.type.widgets]}


def _ui_input(graph: Graph, node: Node, socket: Socket) -> dict[str, Any]:
    numbers = [link.number for link in graph.links if (link.target, link.input) == (node.number, socket.name)]
    optional = {"shape": 7} if socket.is_optional else {}  # drawn as a ring
    return {"name": socket.name, "type": socket.type, "link": numbers[0] if numbers else None} | optional


def _ui_output(graph: Graph, node: Node, socket: Socket) -> dict[str, Any]:
    numbers = [link.number for link in graph.links if link.source == node.out(socket.name)]
    return {"name": socket.name, "type": socket.type, "links": numbers or None}


def _ui_link(graph: Graph, link: Link) -> list[Any]:
    """[number, from node, from output, to node, to input, type]."""
    inputs = [socket.name for socket in graph.nodes[link.target - 1].type.inputs]
    start, end = graph.output_number(link.source), inputs.index(link.input)
    return [link.number, link.source.node, start, link.target, end, graph.nodes[link.target - 1].type.inputs[end].type]
