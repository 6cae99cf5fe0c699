"""Which blends the server holds: found again within a tolerance, and given up in order of last use. Pure bookkeeping."""

from dataclasses import dataclass

from emotional_ai_service.decoding.vllm.recipes import GRAIN, Recipe


@dataclass(slots=True, eq=False)
class Place:
    """A blend on the shelf, and how many requests speak with it."""

    recipe: Recipe
    users: int = 0


class ShelfFull(Exception):
    """Every blend on the shelf is in use."""


class Shelf:
    """At most `capacity` blends. A blend within `tolerance` of the wanted one, in any weight, will do for it."""

    def __init__(self, capacity: int, tolerance: float) -> None:
        self._capacity = capacity
        self._tolerance = tolerance * GRAIN
        self._places: dict[str, Place] = {}  # the one used longest ago first

    @property
    def names(self) -> tuple[str, ...]:
        """Blends held, the one used longest ago first."""
        return tuple(self._places)

    def nearest(self, wanted: Recipe, *, exactly: bool) -> Place | None:
        """The place of the blend nearest to `wanted` within the tolerance, the latest used among equals; None if none is.

        `exactly` takes no other than `wanted` itself.
        """
        if exactly:
            return self._places.get(wanted.name)
        apart = [(place.recipe.distance(wanted), place) for place in reversed(self._places.values())]
        distance, place = min(apart, key=lambda pair: pair[0], default=(0, None))
        return place if distance <= self._tolerance else None

    def put(self, recipe: Recipe) -> tuple[Place, Recipe | None]:
        """Makes a place for a blend that has none, and returns it with the blend given up for it, if one had to be.

        Raises ShelfFull if all are in use.
        """
        given_up = None
        if len(self._places) >= self._capacity:
            idle = next((place for place in self._places.values() if place.users == 0), None)
            if idle is None:
                raise ShelfFull
            given_up = idle.recipe
            self.drop(idle)
        place = self._places[recipe.name] = Place(recipe)
        return place, given_up

    def begin(self, place: Place) -> None:
        """A request speaks with it from now on."""
        place.users += 1
        name = place.recipe.name
        if self._places.get(name) is place:
            self._places[name] = self._places.pop(name)

    @staticmethod
    def end(place: Place) -> None:
        """A request has spoken."""
        place.users -= 1

    def drop(self, place: Place) -> None:
        """Takes it off the shelf."""
        if self._places.get(place.recipe.name) is place:
            del self._places[place.recipe.name]
