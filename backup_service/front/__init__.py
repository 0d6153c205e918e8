"""What stands between sockets and threads, in every web process: nobody slow gets a thread.

gunicorn's threaded worker gives a connection a thread at once and reads the request there, so that
a handful of clients who send a byte in five seconds hold all of them. Here one loop waits for
everybody, and a thread is given to whole requests only:

    accept -> head, in the loop -> (site) body, in the loop -> thread: the application
           -> what the client has not taken of the answer, in the loop -> next request, or the end

`intake.py` decides when a request is whole, or is to be refused; `client.py` is the socket that
the application's thread sees, which gives up on clients who do not read; `connection.py` is one
client's state; `worker.py` is the loop. Uploads are read by the application, which times them.
"""

from backup_service.front.worker import GatewayWorker, SiteWorker

__all__ = ["GatewayWorker", "SiteWorker"]
