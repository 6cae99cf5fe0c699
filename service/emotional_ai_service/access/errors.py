"""What is wrong with a file of tokens or with what the service was told about access; it keeps the service from starting.

AccessUnusable
+-- TokensUnusable      a file of tokens that cannot be read, or says what no token can be
+-- CertificateUnfit    a certificate or key that cannot be read, has ended, or does not belong together
+-- NetworkOpen         the address is reached by other machines, and somebody could listen or anybody could call
"""


class AccessUnusable(Exception):
    """Base of what is wrong with the settings of access."""


class TokensUnusable(AccessUnusable):
    """A file of tokens that cannot be read, or says what no token can be."""


class CertificateUnfit(AccessUnusable):
    """A certificate or key that cannot be read, has ended, or does not belong together."""


class NetworkOpen(AccessUnusable):
    """The address is reached by other machines, and somebody could listen or anybody could call."""
