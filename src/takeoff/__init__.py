"""takeoff: would more labelled data or a bigger network help, by how much, and until when?"""

__version__ = "0.1.0"
