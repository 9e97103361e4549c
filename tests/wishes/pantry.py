"""A small shop of things to eat, with prices and aisles, and recipes without."""

from __future__ import annotations

from pathlib import Path

PRODUCTS = {
    "fish": ["salmon fillet 9", "tuna in oil 3", "smoked trout 7", "fish fingers 4"],
    "soup": ["tomato soup 2", "chicken noodle soup 3", "fish soup 5", "lentil soup 2"],
    "drinks": ["orange juice 3", "green tea 4", "ground coffee 8", "decaf coffee 9"],
    "sweets": [
        "milk chocolate 2",
        "sugar free cookies 3",
        "butter cookies 4",
        "vanilla ice cream 6",
    ],
    "bakery": ["rye bread 3", "wheat rolls 2", "apple pie 7", "blueberry muffins 5"],
    "home": ["dish soap 2", "paper towels 6", "dog food 11", "light bulbs 8"],
}
PROJECT = """\
project: pantry
language: en
items:
  products:
    source: products.csv
    id: id
    title: name
    text: [name]
    labels: {aisle: aisle}
    numbers: {price: price}
  recipes: {source: recipes.csv, id: id, text: [name]}
tasks:
  products: {recommend: products, size: 5}
  recipes: {recommend: recipes, size: 2}
"""
RECIPES = ["grilled salmon with lemon", "pancakes with maple syrup", "pumpkin soup"]


def write_pantry(folder: Path, llm: str = "") -> Path:
    """The project in `folder`; `llm` is its section of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["id,name,aisle,price"]
    for aisle, things in PRODUCTS.items():
        for thing in things:
            name, _, price = thing.rpartition(" ")
            rows.append(f"p{len(rows)},{name},{aisle},{price}")
    rows.append(f"p{len(rows)},anchovy paste,,")
    (folder / "products.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    recipes = [f"r{n},{name}" for n, name in enumerate(RECIPES)]
    (folder / "recipes.csv").write_text("\n".join(["id,name", *recipes]) + "\n", encoding="utf-8")
    (folder / "recprism.yaml").write_text(PROJECT + llm, encoding="utf-8")
    return folder
