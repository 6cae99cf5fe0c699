"""Who may call: tokens and their scopes, the gate every rpc passes, and encrypted connections.

token        a token as it is written and kept        records, token_file    the file they are kept in
keyring      the tokens known now                     guesses                wrong tokens, counted by address
scopes       what each rpc needs                      gate                   lets calls in, and ends streams
tls          encrypted connections                    exposure               what must be there beyond this machine
reflection   the contract told to who has a token     unlogged               metadata kept out of the log
entrance     what stands around a service that serves
settings     what the service is told of all this     errors                 what keeps it from starting
"""

from emotional_ai_service.access.entrance import entrance
from emotional_ai_service.access.errors import AccessUnusable, CertificateUnfit, NetworkOpen, TokensUnusable
from emotional_ai_service.access.exposure import check_exposure
from emotional_ai_service.access.gate import Call, Gate
from emotional_ai_service.access.reflection import REFLECTION, Reflection
from emotional_ai_service.access.scopes import SCOPES, allows
from emotional_ai_service.access.settings import AccessSettings, TlsSettings
from emotional_ai_service.access.tls import server_credentials
from emotional_ai_service.access.token_file import TokenFile

__all__ = [
    "REFLECTION",
    "SCOPES",
    "AccessSettings",
    "AccessUnusable",
    "Call",
    "CertificateUnfit",
    "Gate",
    "NetworkOpen",
    "Reflection",
    "TlsSettings",
    "TokenFile",
    "TokensUnusable",
    "allows",
    "check_exposure",
    "entrance",
    "server_credentials",
]
