"""What every sandbox of a pool is given."""

from dataclasses import dataclass, field

from common.ids import ContainerId, Namespace
from invoker.driver.port import Network, SandboxSpec
from invoker.pool.container import Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxDefaults:
    """The same for all, but for what an action's shape says."""

    network: Network = Network.NONE
    env: dict[str, str] = field(default_factory=dict)
    lent_to: Namespace | None = None
    """Who alone gets *network*, where it is the host's for want of another; None is everybody."""
    are_isolated: bool = True
    """Where they are not, the code of one namespace alone is run: it could read another's."""

    def spec(self, container_id: ContainerId, shape: Shape) -> SandboxSpec:
        """Return what a driver is asked for."""
        return SandboxSpec(
            container_id=container_id,
            kind=shape.kind,
            memory_mb=shape.memory_mb,
            image=shape.image,
            network=Network.NONE if shape.is_cut_off else self.network,
            env=self.env,
        )
