"""Which of our forms allauth uses: settings of allauth's, by its own names."""

ACCOUNT_FORMS = {
    "login": "accounts.website.forms.LoginForm",
    "signup": "accounts.website.forms.SignupForm",
    "add_email": "accounts.website.forms.AddEmailForm",
    "change_password": "accounts.website.forms.ChangePasswordForm",
    "set_password": "accounts.website.forms.SetPasswordForm",
    "reset_password": "accounts.website.forms.ResetPasswordForm",
    "reset_password_from_key": "accounts.website.forms.ResetPasswordKeyForm",
    "reauthenticate": "accounts.website.forms.ReauthenticateForm",
}
MFA_FORMS = {
    "authenticate": "accounts.website.sign_in.code_forms.SecondCodeForm",
    "reauthenticate": "accounts.website.sign_in.code_forms.ReauthenticateByCodeForm",
    "activate_totp": "accounts.website.sign_in.code_forms.AddAppForm",
    "add_webauthn": "accounts.website.sign_in.passkey_forms.AddPasskeyForm",
    "edit_webauthn": "accounts.website.sign_in.passkey_forms.RenamePasskeyForm",
    "login_webauthn": "accounts.website.sign_in.passkey_forms.SignInByPasskeyForm",
    "authenticate_webauthn": "accounts.website.sign_in.passkey_forms.SecondPasskeyForm",
    "reauthenticate_webauthn": "accounts.website.sign_in.passkey_forms.ReauthenticateByPasskeyForm",
}
