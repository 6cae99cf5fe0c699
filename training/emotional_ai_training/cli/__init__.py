"""The training commands, a file each. Heavy imports wait until a command runs, so that no other command pays for them."""
