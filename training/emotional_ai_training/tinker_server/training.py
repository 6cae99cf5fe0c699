"""Training requests: models, passes, steps, and saving and loading them."""

from collections.abc import Callable

from tinker import types

from emotional_ai_training.tinker_server.bodies import Turn
from emotional_ai_training.tinker_server.desk import Desk, fresh_seed, wall_clock
from emotional_ai_training.tinker_server.engine import (
    AdamParams,
    LoraSettings,
    RunRecord,
    Saving,
    expiry,
    loss_named,
)
from emotional_ai_training.tinker_server.errors import InvalidRequest, UnknownName
from emotional_ai_training.tinker_server.names import CheckpointPath, Kind, check_name, check_run, parse_path
from emotional_ai_training.tinker_server.replies import Reply, answer
from emotional_ai_training.tinker_server.sampling import Samplers
from emotional_ai_training.tinker_server.sessions import Sessions
from emotional_ai_training.tinker_server.wire import data_of, pass_reply, pass_request

Content = dict[str, object]


class Training:
    """Each method takes a request of the SDK and answers its promise."""

    def __init__(self, desk: Desk, sessions: Sessions, samplers: Samplers, max_runs: int) -> None:
        self._desk = desk
        self._sessions = sessions
        self._samplers = samplers
        self._max_runs = max_runs

    def create(self, request: types.CreateModelRequest) -> Content:
        """A new adapter over the base model."""
        self._check_base(request.base_model)
        if request.optimizer_config.type != "adamw":
            raise InvalidRequest(f"optimizer {request.optimizer_config.type!r} is not served here; served: adamw")
        if (config := request.lora_config) is None:
            raise InvalidRequest("lora_config is missing: only LoRA is trained here")
        settings = LoraSettings(config.rank, config.train_attn, config.train_mlp, config.train_unembed)
        seed = fresh_seed() if config.seed is None else config.seed
        record = self._record(request.session_id, request.model_seq_id, settings, request.user_metadata)

        def run() -> Reply:
            self._desk.engine.create(record, seed % 2**63)
            return answer({"type": "create_model", "model_id": record.run_id})

        return self._begin(request.session_id, record.run_id, run)

    def load(self, request: types.LoadWeightsRequest) -> Content:
        """A new model that goes on from a checkpoint, or a live one put back to it."""
        if request.session_id is None or request.model_seq_id is None:
            return self._restore(request)
        path, now = parse_path(request.path), wall_clock()
        checkpoint = self._desk.engine.store.get(path, now)
        if request.base_model is not None:
            self._check_base(request.base_model)
        record = self._record(request.session_id, request.model_seq_id, checkpoint.settings, request.user_metadata)

        def run() -> Reply:
            self._desk.engine.create_from(record, path, now, optimizer=request.optimizer)
            return answer({"type": "load_weights", "path": str(path), "model_id": record.run_id})

        return self._begin(request.session_id, record.run_id, run)

    def forward_backward(self, body: bytes) -> Content:
        """Losses and log-probabilities, and gradients unless the request is forward_only."""
        message = pass_request(body)
        run_id = self._live(message.model_id)

        def run() -> Reply:
            live = self._desk.engine.run(run_id)
            try:
                loss = loss_named(message.loss_fn)
                data = data_of(message, loss)
                return pass_reply(
                    live.forward(data, loss) if message.forward_only else live.forward_backward(data, loss)
                )
            except BaseException:
                if not message.forward_only:
                    live.spoil()
                raise

        return self._in_turn(run_id, message.seq_id or None, run)

    def optim_step(self, request: types.OptimStepRequest) -> Content:
        """One step of the optimizer."""
        run_id = self._live(request.model_id)

        def run() -> Reply:
            live = self._desk.engine.run(run_id)
            try:
                params = _adam(request.optim_params)
            except InvalidRequest:
                live.refuse_step()
                raise
            norm = live.optim_step(params)
            return answer({"metrics": {"grad_norm": norm, "optimizer_steps": float(live.optimizer.steps)}})

        return self._in_turn(run_id, request.seq_id, run)

    def save(self, request: types.SaveWeightsRequest) -> Content:
        """A training checkpoint: weights and optimizer."""
        return self._save(request, Kind.TRAINING, overwrite=request.overwrite, metadata=request.user_metadata)

    def save_external(self, request: types.SaveWeightsExternalRequest) -> Content:
        """A checkpoint to download."""
        if request.age_encryption_recipients:
            refusal = "age_encryption_recipients are not served here: files never leave this machine unasked"
            return self._in_turn(self._live(request.model_id), request.seq_id, lambda: _refuse(refusal))
        return self._save(request, Kind.EXTERNAL, overwrite=False, metadata=None)

    def save_for_sampler(self, request: types.SaveWeightsForSamplerRequest) -> Content:
        """A checkpoint to sample from, by name, or behind a sampler that is made with it."""
        if request.sampling_session_seq_id is None:
            return self._save(request, Kind.SAMPLER, overwrite=False, metadata=request.user_metadata)
        run_id = self._live(request.model_id)
        session_id = run_id.partition(":")[0]
        name = "inflight" if request.kind == "inflight" else f"snapshot-{request.sampling_session_seq_id}"
        path = CheckpointPath(run_id, Kind.EPHEMERAL, name)
        sampler_id = self._samplers.add(session_id, request.sampling_session_seq_id, path)

        def run() -> Reply:
            self._desk.engine.save(run_id, path, Saving({}, overwrite=True), wall_clock())
            return answer({"type": "save_weights_for_sampler", "sampling_session_id": sampler_id})

        return self._in_turn(run_id, request.seq_id, run)

    def info(self, request: types.GetInfoRequest) -> Content:
        """What is known of a live model."""
        run_id = self._live(request.model_id)
        record = self._desk.engine.store.run(run_id)
        base = self._desk.engine.base
        return {
            "type": "get_info",
            "model_id": run_id,
            "model_name": base.name,
            "model_data": {"arch": base.architecture, "model_name": base.name, "tokenizer_id": base.name},
            "is_lora": True,
            "lora_rank": record.settings.rank,
        }

    def refuse(self, turn: Turn, reason: InvalidRequest) -> Content:
        """A body that is no request; the turn it names is taken, if its model is live."""
        return self._refuse_in_turn(turn, reason, lambda: None)

    def refuse_step(self, turn: Turn, reason: InvalidRequest) -> Content:
        """As refuse, for an optim_step: the gradient meant for it is forgotten."""
        return self._refuse_in_turn(turn, reason, lambda: self._desk.engine.run(turn.model_id).refuse_step())

    def _refuse_in_turn(self, turn: Turn, reason: InvalidRequest, before: Callable[[], None]) -> Content:
        if not self._desk.live(turn.model_id):
            raise reason

        def run() -> Reply:
            before()
            return _refuse(str(reason))

        return self._in_turn(turn.model_id, turn.seq_id, run)

    def _save(
        self,
        request: types.SaveWeightsRequest | types.SaveWeightsExternalRequest | types.SaveWeightsForSamplerRequest,
        kind: Kind,
        *,
        overwrite: bool,
        metadata: dict[str, str] | None,
    ) -> Content:
        run_id = self._live(request.model_id)

        def run() -> Reply:
            now = wall_clock()
            path = CheckpointPath(run_id, kind, check_name(request.path or ""))
            saving = Saving(metadata or {}, expiry(request.ttl_seconds, now), overwrite)
            saved = self._desk.engine.save(run_id, path, saving, now)
            return answer({"type": request.type, "path": str(path), "size_bytes": saved.size_bytes})

        return self._in_turn(run_id, request.seq_id, run)

    def _restore(self, request: types.LoadWeightsRequest) -> Content:
        if request.model_id is None:
            raise InvalidRequest("load_weights needs model_id, or session_id and model_seq_id")
        run_id = self._live(request.model_id)

        def run() -> Reply:
            path = parse_path(request.path)
            self._desk.engine.restore(run_id, path, wall_clock(), optimizer=request.optimizer)
            return answer({"type": "load_weights", "path": str(path), "model_id": run_id})

        return self._in_turn(run_id, request.seq_id, run)

    def _record(self, session_id: str, number: int, settings: LoraSettings, metadata: object) -> RunRecord:
        self._sessions.seen(session_id)
        tags = {str(name): str(value) for name, value in metadata.items()} if isinstance(metadata, dict) else {}
        run_id = check_run(f"{session_id}:train:{number}")
        return RunRecord(run_id, self._desk.engine.base.name, settings, tags, wall_clock())

    def _begin(self, session_id: str, run_id: str, run: Callable[[], Reply]) -> Content:
        request_id = f"{run_id}:0"
        if request_id not in self._desk.futures:
            if self._desk.live_count() >= self._max_runs:
                raise InvalidRequest(
                    f"{self._max_runs} models are live already; finish a session that holds some, or raise --max-runs"
                )
            self._desk.submit(request_id, _or(run, lambda: self._desk.forget_soon(run_id)))
            self._desk.begin_turns(run_id)
            self._sessions.holds(session_id, run_id)
        return {"request_id": request_id, "model_id": run_id}

    def _in_turn(self, run_id: str, number: int | None, run: Callable[[], Reply]) -> Content:
        return {"request_id": self._desk.submit_in_turn(run_id, number, run), "model_id": run_id}

    def _live(self, run_id: str) -> str:
        """The id of a live model; UnknownName says where to go on from."""
        if self._desk.live(run_id):
            return run_id
        saved = [
            str(checkpoint.path)
            for checkpoint in self._desk.engine.store.checkpoints(run_id, wall_clock())
            if checkpoint.path.kind is Kind.TRAINING
        ]
        last = f"go on from {', '.join(saved[:3])}" if saved else "it saved no state to go on from"
        raise UnknownName(f"model {run_id} is not live here: its session ended, or the server was restarted; {last}")

    def _check_base(self, name: str) -> None:
        self._desk.engine.base.check_name(name)


def _adam(params: types.OptimParams) -> AdamParams:
    if not isinstance(params, types.AdamParams):
        raise InvalidRequest("only AdamParams are served here")
    return AdamParams(**params.model_dump())


def _refuse(reason: str) -> Reply:
    """A refusal that takes its turn, because the numbers of the requests after it go on."""
    raise InvalidRequest(reason)


def _or(run: Callable[[], Reply], undo: Callable[[], None]) -> Callable[[], Reply]:
    """`run`, and `undo` where it fails."""

    def tried() -> Reply:
        try:
            return run()
        except BaseException:
            undo()
            raise

    return tried
