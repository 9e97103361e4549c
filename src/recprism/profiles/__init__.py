"""Events to profiles: taste vector, segment, habits, history, and a summary in words."""
